// Dynamics' changes by dynamics-web-api: each request of the reader returns the same rows and links to the client.
const assert = require("node:assert");
const { DynamicsWebApi } = require("dynamics-web-api");

const [url] = process.argv.slice(2);
const IDS = { leads: "leadid", contacts: "contactid", accounts: "accountid", opportunities: "opportunityid" };
const STREAMS = { leads: "leads", contacts: "contacts", accounts: "companies", opportunities: "deals" };
const links = {};
const present = Object.fromEntries(Object.keys(IDS).map((collection) => [collection, new Set()]));
let pages = 0;

function client(token) {
  return new DynamicsWebApi({ serverUrl: url, dataApi: { version: "9.2" }, onTokenRefresh: async () => token });
}

// What became of a row, as the reader states it.
function fate(collection, row) {
  if (row.reason === "deleted") return ["deleted", ""];
  if (row.merged) return ["merged", row._masterid_value];
  if (collection === "leads" && row.statecode === 1) return ["converted", row._parentcontactid_value];
  return ["present", ""];
}

async function next() {
  const answer = await fetch(`${url}/by-hand/next`, { method: "POST" });
  return answer.status === 204 ? null : answer.json();
}

// Sends one request of the reader. Returns its rows; the next request of the table follows the client's own link.
async function send(api, asked) {
  const path = asked.path.split("?")[0];
  const collection = path.split("/").pop();
  const select = new URL(asked.path, url).searchParams.get("$select").split(",");
  const request = { collection, select, trackChanges: true, maxPageSize: 500 };
  const hasToken = asked.path.includes("token=");
  if (hasToken) assert.equal(links[collection], url + asked.path);
  const sent = api.retrieveMultiple(request, hasToken ? links[collection] : undefined);
  if (asked.status !== 200) {
    await assert.rejects(sent, (error) => {
      assert.equal(error.code, "0x80044352");
      return error.status === asked.status;
    });
    return [collection, []];
  }
  const found = await sent;
  pages += 1;
  assert.ok(Boolean(found.oDataNextLink) !== Boolean(found.oDataDeltaLink));
  links[collection] = found.oDataNextLink ?? found.oDataDeltaLink;
  return [collection, found.value];
}

async function main() {
  const api = client("token");
  const fates = new Set();
  let expired = 0;
  let missing = 0;
  for (let step = await next(); step !== null; step = await next()) {
    const seen = Object.fromEntries(Object.keys(IDS).map((collection) => [collection, []]));
    for (const asked of step.requests) {
      const [collection, rows] = await send(api, asked);
      for (const row of rows) {
        const name = row.reason === "deleted" ? row.id : row[IDS[collection]];
        seen[collection].push([name, ...fate(collection, row)]);
      }
    }
    for (const [collection, rows] of Object.entries(seen)) {
      assert.match(links[collection], /deltatoken=/);
      assert.doesNotMatch(links[collection], /skiptoken=/); // every listing is read to its end
      const { changes, gaps } = step.read[STREAMS[collection]];
      expired += gaps.length;
      if (gaps.length) {
        // All rows are listed again: those that are missing were deleted.
        const listed = new Set(rows.map(([name]) => name));
        const gone = [...present[collection]].filter((name) => !listed.has(name)).sort();
        rows.push(...gone.map((name) => [name, "deleted", ""]));
        missing += gone.length;
      }
      for (const [name, became] of rows) {
        if (became === "present") present[collection].add(name);
        else present[collection].delete(name);
      }
      assert.deepEqual(changes.map((one) => [one.id, one.fate, one.into]), rows);
      rows.forEach((row) => fates.add(row[1]));
    }
  }
  assert.deepEqual([...fates].sort(), ["converted", "deleted", "merged", "present"]);
  assert.equal(expired, 4);
  assert.equal(missing, 1);
  assert.ok(pages > 12);

  const unknown = { collection: "leads", select: ["leadid", "titel"], trackChanges: true };
  await assert.rejects(api.retrieveMultiple(unknown), (error) => error.status === 400 && error.code === "0x80060888");
  const filtered = { collection: "leads", select: ["leadid"], filter: "statecode eq 0", trackChanges: true };
  await assert.rejects(api.retrieveMultiple(filtered), (error) => error.status === 400);
  const select = { collection: "leads", select: ["leadid"], trackChanges: true };
  await assert.rejects(client("older").retrieveMultiple(select), (error) => error.status === 401);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
