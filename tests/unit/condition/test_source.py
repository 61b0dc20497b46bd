from pipeline.condition.source import Source


def test_a_generated_function_runs():
    source = Source(offset=2)
    source.add("def shifted(number):")
    with source.block("    if number:"):
        source.add("    return number + offset")
    source.add("    return None")
    functions = source.compiled()
    assert functions["shifted"](3) == 5
    assert functions["shifted"](0) is None


def test_blocks_are_indented():
    source = Source()
    with source.block("if a:"), source.block("if b:"):
        source.add("c()")
    source.add("d()")
    assert source.text == "if a:\n    if b:\n        c()\nd()\n"


def test_an_object_keeps_its_name_and_others_get_another():
    source, one, other = Source(), object(), object()
    name = source.refer("thing", one)
    assert source.refer("thing", one) == name
    assert source.refer("thing", other) != name
    assert source.refer("part", one) != name
    assert source.compiled()[name] is one


def test_text_of_rules_enters_the_source_as_a_literal():
    source = Source()
    hostile = "x'); raise SystemExit #\n\\"
    source.add("def name():", f"    return {hostile!r}")
    assert source.compiled()["name"]() == hostile
