"""The environment of a process: variables that no setting has, and values that a setting cannot have, are refused."""

import pytest

from pipeline.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("STITCHLINE_BOOTSTRAP_SERVER", "STITCHLINE_BOOTSTRAP_SERVERS"),
        ("STITCHLINE_HTP_PORT", "STITCHLINE_HTTP_PORT"),
        ("stitchline_rule_dir", "STITCHLINE_RULES_DIR"),
        ("STITCHLINE_SASL_MECHANISMS", "STITCHLINE_SASL_MECHANISM"),
    ],
)
def test_a_variable_of_no_setting_is_refused_with_the_one_that_was_meant(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "hunter2")

    with pytest.raises(SettingsError) as refused:
        Settings()

    assert f"{name}: there is no such setting; did you mean {meant}?" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STITCHLINE_SEED", "7"),
        ("STITCHLINE_SERVICE_HOST", "10.0.0.1"),
        ("STITCHLINE_SERVICE_PORT_METRICS", "9100"),
        ("STITCHLINE_WORKER_PORT", "tcp://10.0.0.1:9100"),
        ("STITCHLINE_PORT_9100_TCP_ADDR", "10.0.0.1"),
        ("STITCHLINES", "1"),
    ],
)
def test_variables_of_replay_lines_and_of_kubernetes_are_not_ours(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    Settings()


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"STITCHLINE_WORKER_ID": ""}, "STITCHLINE_WORKER_ID"),
        ({"STITCHLINE_WORKER_ID": "../other"}, "STITCHLINE_WORKER_ID"),
        ({"STITCHLINE_SASL_MECHANISM": "GSSAPI"}, "STITCHLINE_SASL_MECHANISM"),
        (
            {"STITCHLINE_SASL_MECHANISM": "PLAIN ", "STITCHLINE_SECURITY_PROTOCOL": "sasl_ssl"},
            "STITCHLINE_SASL_MECHANISM",
        ),
        ({"STITCHLINE_SECURITY_PROTOCOL": "sasl_ssl"}, "STITCHLINE_SASL_MECHANISM"),
    ],
)
def test_a_worker_id_or_mechanism_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=named):
        Settings()
