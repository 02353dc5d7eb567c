"""How instants are shown: with their seconds, by the 24-hour clock."""

DATETIME_FORMAT = "j M Y, H:i:s"
