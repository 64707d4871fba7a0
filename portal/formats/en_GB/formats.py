"""How times are written where no template says otherwise: in UTC, and saying so."""

DATE_FORMAT = "j F Y"
DATETIME_FORMAT = r"j M Y, H:i:s \U\T\C"
SHORT_DATETIME_FORMAT = r"j M Y, H:i \U\T\C"
TIME_FORMAT = r"H:i:s \U\T\C"
