// The emulator of Dynamics by dynamics-web-api: upsert, conditions, batch, query and delete.
const assert = require("node:assert");
const { DynamicsWebApi } = require("dynamics-web-api");

const [url] = process.argv.slice(2);
const tenant = "11111111-0000-0000-0000-000000000001";
const lead = "6f3a5d0e-9d0b-5f6e-8d3c-0f6a3b5c7e01";
const other = "6f3a5d0e-9d0b-5f6e-8d3c-0f6a3b5c7e02";

async function token() {
  const form = new URLSearchParams({
    grant_type: "client_credentials", client_id: "app", client_secret: "s-1",
    scope: "https://shop.crm4.dynamics.com/.default",
  });
  const answer = await fetch(`${url}/${tenant}/oauth2/v2.0/token`, { method: "POST", body: form });
  return (await answer.json()).access_token;
}

async function main() {
  const access = await token();
  const api = new DynamicsWebApi({
    serverUrl: url, dataApi: { version: "9.2" }, onTokenRefresh: async () => access,
  });
  const data = { lastname: "Lee", emailaddress1: "a@shop.example", new_stitchline_score: 71.5 };
  await api.upsert({ collection: "leads", key: lead, data });
  const again = await api.upsert({
    collection: "leads", key: lead, data: { firstname: "Ann" }, select: ["leadid", "_ownerid_value"],
    returnRepresentation: true,
  });
  assert.equal(again.leadid, lead);
  await assert.rejects(
    api.upsert({ collection: "leads", key: lead, data, ifnonematch: "*" , noCache: false}).then((found) => {
      if (found === null) throw new Error("412");
    }),
  );
  await assert.rejects(api.update({ collection: "leads", key: other, data }), (error) => error.status === 404);
  await assert.rejects(
    api.upsert({ collection: "leads", key: other, data: { emailaddress1: "x@y.invalid" } }),
    (error) => error.status === 400 && error.code === "0x80040203",
  );

  api.startBatch();
  api.upsert({ collection: "leads", key: lead, data: { telephone1: "1" }, inChangeSet: false });
  api.upsert({ collection: "leads", key: other, data, inChangeSet: false });
  const answers = await api.executeBatch({ continueOnError: true });
  assert.equal(answers.length, 2);

  const found = await api.retrieveMultiple({
    collection: "leads", select: ["leadid", "lastname", "telephone1"],
    filter: `Microsoft.Dynamics.CRM.In(PropertyName='leadid',PropertyValues=['${lead}','${other}'])`,
  });
  assert.deepEqual(found.value.map((row) => row.lastname), ["Lee", "Lee"]);
  await api.deleteRecord({ collection: "leads", key: other });
  const left = await api.retrieveMultiple({ collection: "leads", select: ["leadid"] });
  assert.equal(left.value.length, 1);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
