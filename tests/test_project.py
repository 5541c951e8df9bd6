"""The project's files agree with each other: one source of dependencies, one way to test."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [*PROJECT["dependencies"], *(entry for extra in EXTRAS.values() for entry in extra)]
IMPORT_NAMES = {"PIL": "pillow", "yaml": "pyyaml"}  # where they differ from the package's name


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def yaml_of(name: str) -> Any:
    return yaml.safe_load(text_of(name))


def package_name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return normalized(match[0])


def normalized(name: str) -> str:
    return name.lower().replace("_", "-")


def third_party_imports(folder: str) -> set[str]:
    """Package names of everything that the folder's files import from outside."""
    names: set[str] = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    names -= sys.stdlib_module_names | {"miaod_nb", "tests"}
    return {normalized(IMPORT_NAMES.get(name, name)) for name in names}


def test_every_requirement_has_a_lower_and_an_upper_bound() -> None:
    for requirement in REQUIREMENTS:
        assert re.search(r">=\d[\d.]*,<\d+$", requirement), requirement


def test_everything_imported_is_required() -> None:
    required = {package_name(entry) for entry in PROJECT["dependencies"]}
    optional = {
        package_name(e) for extra in ("tensorboard", "ddp", "notebook") for e in EXTRAS[extra]
    }
    tests = {package_name(entry) for entry in EXTRAS["test"]}
    used = third_party_imports("miaod_nb")
    assert len(used) >= 5  # an empty result would prove nothing
    assert used <= required | optional
    assert third_party_imports("tests") <= required | tests | optional


def test_conda_environment_takes_everything_from_pyproject() -> None:
    environment = yaml_of("environment.yml")
    *plain, pip = environment["dependencies"]
    assert environment["name"] == PROJECT["name"]
    assert plain == [f"python{PROJECT['requires-python']}", "pip"]
    extras = re.fullmatch(r"-e \.\[([a-z,]+)\]", pip["pip"][0])
    assert len(pip["pip"]) == 1 and extras is not None
    assert set(extras[1].split(",")) <= EXTRAS.keys()


def test_make_installs_the_same_extras_as_conda() -> None:
    assert yaml_of("environment.yml")["dependencies"][-1]["pip"][0].removeprefix("-e ") in (
        text_of("Makefile")
    )


def test_continuous_integration_runs_what_people_run() -> None:
    assert text_of(".ci/run").splitlines()[-1] == "make test"
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert "make test" in text_of("README.md")


@pytest.mark.parametrize("target", ["run", "test", "quick", "lab", "browser", "bench", "clean"])
def test_make_target_exists_and_is_not_a_file(target: str) -> None:
    makefile = text_of("Makefile")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)", makefile, re.MULTILINE)
    assert phony is not None and target in phony[1].split()


def test_make_refuses_a_variable_that_it_does_not_know() -> None:
    make = ["make", "-n", "-C", str(ROOT), "run"]
    assert subprocess.run([*make, "PRESET=toy", "SET=a=1 b=2"], capture_output=True).returncode == 0
    refused = subprocess.run([*make, "PRESTE=toy"], capture_output=True, text=True)
    assert refused.returncode != 0 and "unknown: PRESTE" in refused.stderr


def test_citation_speaks_of_this_version_and_license() -> None:
    citation = yaml_of("CITATION.cff")
    assert citation["title"] == PROJECT["name"]
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"] == "Apache-2.0"
    paper = citation["references"][0]
    assert paper["title"] == "Multiple Instance Active Learning for Object Detection"
    assert [author["family-names"] for author in paper["authors"]] == (
        ["Yuan", "Wan", "Fu", "Liu", "Xu", "Ji", "Ye"]
    )


def test_license_is_whole() -> None:
    license_text = text_of("LICENSE")
    assert "Apache License" in license_text and "Version 2.0, January 2004" in license_text
    assert "END OF TERMS AND CONDITIONS" in license_text
