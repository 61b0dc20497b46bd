"""Zoho's emulator by zohocrmsdk8-0: login by refresh token, upsert twice, search by COQL, update, and the errors."""

import sys
import tempfile
from pathlib import Path

from zohocrmsdk.src.com.zoho.api.authenticator import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.api.logger import Logger
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, Initializer, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.coql import BodyWrapper as Query
from zohocrmsdk.src.com.zoho.crm.api.coql import CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.record import BodyWrapper, Record, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig

url, folder = sys.argv[1], tempfile.mkdtemp()
Path(folder, "resources").mkdir()
Initializer.initialize(
    environment=DataCenter.Environment(url, f"{url}/oauth/v2/token", url),
    token=OAuthToken(client_id="1000.ABC", client_secret="s-1", refresh_token="r-1"),
    store=FileStore(file_path=f"{folder}/tokens"),
    sdk_config=SDKConfig(auto_refresh_fields=False, pick_list_validation=False),
    resource_path=folder,
    logger=Logger.get_instance(level=Logger.Levels.ERROR, file_path=f"{folder}/log"),
)


def upsert(**values):
    """Returns the one result of an upsert by action id."""
    record = Record()
    for name, value in values.items():
        record.add_key_value(name, value)
    body = BodyWrapper()
    body.set_data([record])
    body.set_trigger([])
    body.set_duplicate_check_fields(["Stitchline_Action"])
    answer = RecordOperations("Leads").upsert_records(body, HeaderMap())
    (result,) = answer.get_object().get_data()
    return result


def text(value):
    """Returns the text of a choice of the client."""
    return value.get_value() if hasattr(value, "get_value") else value


first = upsert(Last_Name="Lee", Email="a@shop.example", Stitchline_Action="a" * 32)
assert first.get_status().get_value() == "success", first
assert text(first.get_action()) == "insert"
again = upsert(Last_Name="Lee-Smith", Stitchline_Action="a" * 32)
assert text(again.get_action()) == "update"
assert again.get_details()["id"] == first.get_details()["id"]
taken = upsert(Last_Name="Ray", Email="a@shop.example", Stitchline_Action="b" * 32)
assert taken.get_status().get_value() == "error", taken
assert taken.get_code().get_value() == "DUPLICATE_DATA"

query = Query()
query.set_select_query(f"select id, Stitchline_Action from Leads where Stitchline_Action in ('{'a' * 32}') limit 200")
(found,) = CoqlOperations().get_records(query).get_object().get_data()
assert str(found.get_id()) == str(first.get_details()["id"])

record = Record()
record.set_id(found.get_id())
record.add_key_value("First_Name", "Ann")
body = BodyWrapper()
body.set_data([record])
(updated,) = RecordOperations("Leads").update_records(body, HeaderMap()).get_object().get_data()
assert updated.get_status().get_value() == "success"
deleted = RecordOperations("Leads").delete_record(found.get_id(), ParameterMap(), HeaderMap())
assert deleted.get_object().get_data()[0].get_status().get_value() == "success"
