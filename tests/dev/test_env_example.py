"""`.env.example` is complete, and says nothing of what does not exist."""

import re

from apps.dev.children import PROJECT

READ = re.compile(r"env\.(?:text|integer|boolean|words)\(\s*\"([A-Z_]+)\"")
WRITTEN = re.compile(r"^([A-Z_]+)=", re.MULTILINE)


def test_every_variable_of_the_settings_is_in_the_example_and_no_other():
    sources = [*(PROJECT / "todo_project").rglob("*.py"), *(PROJECT / "apps").rglob("*.py")]
    read = {name for source in sources for name in READ.findall(source.read_text())}

    assert set(WRITTEN.findall((PROJECT / ".env.example").read_text())) == read
