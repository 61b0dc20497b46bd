"""Zoho's emulator by zohocrmsdk8-0: login by refresh token, upsert twice, search by COQL, update, and the errors."""

import zoho_start  # noqa: F401  the login
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.coql import BodyWrapper as Query
from zohocrmsdk.src.com.zoho.crm.api.coql import CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.record import BodyWrapper, Record, RecordOperations


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
