from pipeline.event.identifier import identifier, key_of, split_key, type_of, value_of


def test_a_value_may_hold_colons_and_slashes():
    ident = identifier("device_id", "a:b/c")
    assert (ident, type_of(ident), value_of(ident)) == ("device_id:a:b/c", "device_id", "a:b/c")
    assert split_key(key_of("acme", ident)) == ("acme", ident)
