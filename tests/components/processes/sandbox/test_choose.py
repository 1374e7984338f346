"""Which sandbox a machine gets, and what it says where there is none."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.processes.sandbox import choose, interpreters, seccomp
from r1flow.components.processes.sandbox.base import Program
from tests.conftest import need_program


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No choice of this process or its environment counts."""
    monkeypatch.delenv(choose.SETTING, raising=False)
    for cached in (choose._bubblewrap, choose._rlimits):
        cached.cache_clear()
    yield
    for cached in (choose._bubblewrap, choose._rlimits):
        cached.cache_clear()


def test_bubblewrap_is_tried_once_and_described() -> None:
    need_program("bwrap")
    sandbox = choose.open_sandbox()
    assert sandbox.name == "bubblewrap"
    assert choose.open_sandbox() is sandbox
    status = choose.describe()
    assert status.isolation == "bubblewrap"
    assert status.seccomp is (seccomp.program() is not None)
    assert str(status).startswith("bubblewrap; ")


def test_without_bubblewrap_the_error_names_the_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(choose.shutil, "which", lambda name: None if name == "bwrap" else f"/usr/bin/{name}")
    with pytest.raises(ConfigError, match="bubblewrap is not installed; install it: make system"):
        choose.open_sandbox()
    assert str(choose.describe()).startswith("none: no sandbox: bubblewrap is not installed")


def test_a_bubblewrap_that_does_not_work_is_no_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    tmp_path.chmod(0o755)
    which = choose.shutil.which
    monkeypatch.setattr(choose.shutil, "which", lambda name: str(broken) if name == "bwrap" else which(name))
    with pytest.raises(
        ConfigError, match=r"does not work here \(.+\); user namespaces must be allowed.+R1_SANDBOX=rlimits"
    ):
        choose.open_sandbox()


def test_mere_limits_come_on_the_users_word_with_one_loud_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(choose.SETTING, "rlimits")
    with caplog.at_level(logging.WARNING):
        assert choose.open_sandbox().name == "rlimits"
        assert choose.open_sandbox().run(Program(["/bin/echo", "x"])).stdout == b"x\n"
    assert [record.getMessage() for record in caplog.records if "WITHOUT ISOLATION" in record.getMessage()]
    assert len(caplog.records) == 1
    assert "no isolation" in str(choose.describe())


def test_an_unknown_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choose.SETTING, "docker")
    with pytest.raises(ConfigError, match='R1_SANDBOX: expected "bubblewrap" or "rlimits", got \'docker\''):
        choose.open_sandbox()


def test_without_libseccomp_the_sandbox_works_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    need_program("bwrap")
    monkeypatch.setattr(seccomp, "_LIBRARY", "libseccomp-there-is-none.so")
    assert choose.open_sandbox().run(Program(["/bin/echo", "x"])).stdout == b"x\n"
    assert "libseccomp.so.2 is not installed; install libseccomp2: make system" in choose.describe().missing


def test_a_missing_interpreter_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(interpreters, "_SYSTEM", str(tmp_path))
    with pytest.raises(ConfigError, match="node is not installed under /usr, JavaScript programs cannot run"):
        interpreters.node()


def test_an_own_python_is_shown_to_sandboxes_only_where_all_can_read_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = f"python{interpreters.sys.version_info.major}.{interpreters.sys.version_info.minor}"
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib" / name).mkdir(parents=True)
    (tmp_path / "bin" / name).write_text("")
    for path in (tmp_path, tmp_path / "bin", tmp_path / "lib", tmp_path / "lib" / name, tmp_path / "bin" / name):
        path.chmod(0o755)
    monkeypatch.setattr(interpreters, "_SYSTEM", str(tmp_path / "none"))
    monkeypatch.setattr(interpreters.sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr(interpreters, "_ancestors", lambda path: [path])  # pytest's directories are private
    assert interpreters.python() == [str(tmp_path / "bin" / name), "-I", "-S"]
    assert interpreters.python_visible() == (tmp_path,)
    (tmp_path / "lib" / name).chmod(0o700)
    with pytest.raises(ConfigError, match="cannot be read by everybody; install python3: make system"):
        interpreters.python()
