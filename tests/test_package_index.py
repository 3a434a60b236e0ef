from __future__ import annotations

import os
from pathlib import Path

import pytest
import requests
from fake_index import serve
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from hifibench import package_index
from hifibench.asset_records import Carrier
from hifibench.package_index import SourceError, UnreachableError

CARRIER = Carrier("Fake.Faces", "1.0", "fake_faces-1.0-py3-none-any.whl", 3, "0" * 64)


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment in which pip finds no configuration of this machine."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}


def test_the_public_index_is_asked_where_nothing_is_configured(bare: dict[str, str]) -> None:
    settings = package_index.read_settings(bare)
    assert settings.places == (PYPI_SIMPLE_ENDPOINT,)
    assert settings.certificates == settings.proxy == ""


def test_pip_and_uv_variables_are_honoured_in_their_order(bare: dict[str, str], tmp_path: Path) -> None:
    certificates = tmp_path / "ca.pem"
    certificates.touch()
    bare |= {
        "PIP_INDEX_URL": "https://main/simple",
        "PIP_EXTRA_INDEX_URL": "https://b/simple file:///srv/index",
        "PIP_FIND_LINKS": str(tmp_path),
        "PIP_CERT": str(certificates),
        "PIP_PROXY": "http://proxy:3128",
        "UV_DEFAULT_INDEX": "https://uv/simple",
        "UV_INDEX": "named=https://c/simple https://b/simple",
    }
    settings = package_index.read_settings(bare)
    assert settings.places == (
        tmp_path.as_uri(),
        "https://main/simple",
        "https://uv/simple",
        "https://b/simple",
        "file:///srv/index",
        "https://c/simple",
    )
    assert settings.certificates == str(certificates)
    assert settings.proxy == "http://proxy:3128"


def test_pips_configuration_file_counts_and_the_environment_goes_before_it(
    bare: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("pip")
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        "[global]\nindex-url = https://from-file/simple\nextra-index-url =\n  https://x/simple\n  https://y/simple\n"
        "[install]\nproxy = http://p:1\n[freeze]\nproxy = http://wrong:1\n"
    )
    bare["PIP_CONFIG_FILE"] = str(configuration)
    settings = package_index.read_settings(bare)
    assert settings.places == ("https://from-file/simple", "https://x/simple", "https://y/simple")
    assert settings.proxy == "http://p:1"
    bare["PIP_INDEX_URL"] = "https://from-environment/simple"
    assert package_index.read_settings(bare).places[0] == "https://from-environment/simple"


def test_no_index_is_honoured(bare: dict[str, str], tmp_path: Path) -> None:
    bare |= {"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "https://main/simple", "PIP_FIND_LINKS": str(tmp_path)}
    assert package_index.read_settings(bare).places == (tmp_path.as_uri(),)


def test_a_certificate_file_that_does_not_exist_is_left_out(bare: dict[str, str], tmp_path: Path) -> None:
    bare["PIP_CERT"] = str(tmp_path / "none.pem")
    assert package_index.read_settings(bare).certificates == ""


def test_a_file_is_found_in_a_flat_folder_a_mirror_and_by_a_page(tmp_path: Path) -> None:
    session = requests.Session()
    mirror = tmp_path / "mirror" / "fake-faces"
    paged = tmp_path / "paged" / "simple" / "fake-faces"
    store = tmp_path / "paged" / "files"
    for folder in (tmp_path / "flat", mirror, paged, store):
        folder.mkdir(parents=True)
    for folder in (tmp_path / "flat", mirror, store):
        (folder / CARRIER.filename).write_bytes(b"abc")
    (paged / "index.html").write_text(f'<a href="../../files/{CARRIER.filename}#sha256=1">{CARRIER.filename}</a>')
    for place, folder in ((tmp_path / "flat", tmp_path / "flat"), (mirror.parent, mirror), (paged.parent, store)):
        found = package_index.find(place.as_uri(), CARRIER, session)
        assert package_index.local_path(found) == folder / CARRIER.filename
    (store / CARRIER.filename).unlink()
    with pytest.raises(SourceError, match="does not have it"):
        package_index.find(paged.parent.as_uri(), CARRIER, session)


def test_places_that_cannot_help_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    session = requests.Session()
    with serve() as index:
        place = f"{index.url}/simple"
        with pytest.raises(SourceError, match=r"has no project Fake\.Faces"):
            package_index.find(place, CARRIER, session)
        index.files["fake_faces-2.0.tar.gz"] = b"x"
        with pytest.raises(SourceError, match=f"has no file {CARRIER.filename}"):
            package_index.find(place, CARRIER, session)
    with pytest.raises(UnreachableError, match="no connection"):
        package_index.find(place, CARRIER, requests.Session())
    with pytest.raises(SourceError, match="neither a folder nor an http address"):
        package_index.find("git+ssh://host/x", CARRIER, session)


def test_the_indexs_login_goes_to_its_own_host_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as index:
        index.files[CARRIER.filename], index.digests[CARRIER.filename] = b"abc", ""
        place = f"{index.url}/simple".replace("//", "//me:secret@")
        found = package_index.find(place, CARRIER, requests.Session())
        assert found == f"{index.url}/files/{CARRIER.filename}".replace("//", "//me:secret@")
    assert package_index.shown(f"see {found}") == f"see {index.url}/files/{CARRIER.filename}"
    assert package_index._with_login("https://files.example/x.whl", place) == "https://files.example/x.whl"
