"""What was measured stands in a page between two marks; what people wrote around it stays."""

from pathlib import Path

BEGIN, END = "<!-- measured -->", "<!-- end -->"


def put(page: Path, measured: str) -> None:
    """Replace what stands between the marks."""
    head, _, rest = page.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n\n{measured}\n\n{END}{tail}")
