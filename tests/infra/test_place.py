"""Secrets that are made once, templates that cannot leak them, certificates that hold together, a refusal that names the fix."""

import os
import pwd
import stat
from pathlib import Path

import pytest
from cryptography import x509

from infra import postgres, stack
from infra.compose import containers
from infra.place import Place, kept_secrets, port_names, write_private
from infra.seaweedfs import make_certificates
from infra.services import SECRETS, SERVICES, USER
from r1flow.components.core.errors import ConfigError


def test_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "stack" / "secrets"
    first = kept_secrets(path)
    assert kept_secrets(path) == first
    assert set(first) == set(SECRETS)
    assert len({secret.get_secret_value() for secret in first.values()}) == len(SECRETS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first["postgres"].get_secret_value() not in repr(first)


def test_a_secret_that_is_missing_is_added_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    first = kept_secrets(path)
    write_private(path, "".join(path.read_text().splitlines(keepends=True)[1:]))
    second = kept_secrets(path)
    assert [name for name in SECRETS if first[name] != second[name]] == [SECRETS[0]]


def test_secrets_that_others_may_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    kept_secrets(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"chmod 600"):
        kept_secrets(path)


def test_a_secret_goes_into_environments_and_nowhere_else() -> None:
    place = containers()
    assert place.environment({"A": "{secret[mlflow]}"}) == {"A": "${R1_STACK_MLFLOW:?}"}
    with pytest.raises(KeyError):
        place.text("{secret[mlflow]}")


def test_workers_alone_see_settings_and_the_hub_s_token_and_nobody_another_store_s_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HF_TOKEN", "R1_PRICES", "AWS_SESSION_TOKEN", "MY_PASSWORD", "R1_HOME"):
        monkeypatch.setenv(name, "mine")
    for service in SERVICES:
        seen = stack.server_of(service, containers()).environment
        worker = service.name.startswith("worker")
        assert ("HF_TOKEN" in seen, "R1_PRICES" in seen) == (worker, worker)
        assert not {"AWS_SESSION_TOKEN", "MY_PASSWORD"} & set(seen)
        assert "mine" not in (seen.get("R1_HOME"), seen.get("AWS_SECRET_ACCESS_KEY"))


def test_every_template_of_the_table_can_be_filled_in() -> None:
    place = containers()
    for service in SERVICES:
        filled = [place.text(part, service) for part in (*service.command, service.ready, service.page)]
        assert not [text for text in filled if "{" in text]
    assert set(place.environment(USER)) == set(USER)
    assert set(place.ports) == set(port_names())


def test_the_shell_file_quotes_what_a_shell_would_read(tmp_path: Path) -> None:
    place = Place(**{**vars(containers()), "home": "/a b/$HOME'"})
    [line] = [line for line in stack.exports(place).splitlines() if line.startswith("export R1_HOME=")]
    assert os.popen(f'{line}; printf %s "$R1_HOME"').read() == "/a b/$HOME'"


def test_certificates_are_signed_by_their_authority_and_new_every_time() -> None:
    authority, certificate = map(x509.load_pem_x509_certificate, make_certificates()[:2])
    certificate.verify_directly_issued_by(authority)
    assert make_certificates()[1] != make_certificates()[1]


def test_postgresql_names_the_directory_that_its_user_cannot_enter(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("this is not root: PostgreSQL runs as the same user")
    try:
        pwd.getpwnam(postgres.USER)
    except KeyError:
        pytest.skip("there is no user postgres")
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(ConfigError, match=r"cannot enter .*R1_HOME"):
        postgres._give_away(closed / "data")
