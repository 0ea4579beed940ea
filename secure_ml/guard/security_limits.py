"""What is usual in an installation: the limits beyond which its log is worth a look.

Belongs here: the limits, their defaults with the reason, their file. Must stay out: the detectors.
"""

from collections.abc import Mapping
from datetime import datetime, time
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from secure_ml.policy.document import Document, DocumentError

VARIABLE = "SECURE_ML_SECURITY_LIMITS"
"""Environment variable that names the file of the limits."""

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DAYS: tuple[Day, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class SecurityLimitsError(Exception):
    """The file of the limits cannot be used; the text says what to correct."""


class WorkingHours(BaseModel):
    """When people work. An end before the start lies on the next day."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    days: tuple[Day, ...] = Field(min_length=1)
    start: time
    end: time

    @model_validator(mode="after")
    def _lasts(self) -> "WorkingHours":
        if self.start == self.end:
            raise ValueError("start and end must differ")
        return self

    def include(self, moment: datetime) -> bool:
        """Whether this local time lies within them."""
        now, today = moment.time().replace(tzinfo=None), _DAYS[moment.weekday()]
        yesterday = _DAYS[moment.weekday() - 1]
        if self.start < self.end:
            return today in self.days and self.start <= now < self.end
        return (today in self.days and now >= self.start) or (yesterday in self.days and now < self.end)


class Limits(BaseModel):
    """What is usual. The defaults suit a small team, and err on the quiet side: an alarm nobody believes is none.

    Attributes:
        refusals: so many refusals of one actor or run within `refusals_minutes` are told. A wrong policy gives one
            refusal a try; five within ten minutes is more than a person who reads the message would make.
        refusals_minutes: see `refusals`.
        reveals: so many masked values given back to one actor within `reveals_minutes` are told. A case takes a few;
            who needs ten an hour takes a column apart.
        reveals_minutes: see `reveals`.
        bulk_cells: a day with fewer opened cells (rows times columns) is never told, however quiet the days before.
        bulk_score: modified z-score above which a day is told; 3.5 is Iglewicz and Hoaglin's.
        bulk_days: so many of an actor's days with reads are remembered.
        bulk_days_needed: before there are so many there is no usual. A new actor is told as such.
        time_zone: IANA name; where a day begins, and whose hours `working_hours` are.
        working_hours: when people work. Without them no hour is odd: nobody knows yours.
        clock_seconds: so far the clock may go back without being told; steps of time synchronisation are smaller.
        report_days: findings of so many days before the newest entry fail the checks in Dagster; older ones are listed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    refusals: int = Field(default=5, ge=1)
    refusals_minutes: int = Field(default=10, ge=1)
    reveals: int = Field(default=10, ge=1)
    reveals_minutes: int = Field(default=60, ge=1)
    bulk_cells: int = Field(default=1_000_000, ge=0)
    bulk_score: float = Field(default=3.5, gt=0)
    bulk_days: int = Field(default=60, ge=2)
    bulk_days_needed: int = Field(default=5, ge=2)
    time_zone: str = "UTC"
    working_hours: WorkingHours | None = None
    clock_seconds: int = Field(default=5, ge=0)
    report_days: int = Field(default=30, ge=1)

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone; write one such as Asia/Kolkata") from None
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.time_zone)


def read_limits(environ: Mapping[str, str]) -> Limits:
    """The limits of the file that the environment names; the defaults where it names none.

    Raises:
        SecurityLimitsError: the file cannot be read, or a field of it is wrong; names line and field.
    """
    named = environ.get(VARIABLE)
    if not named:
        return Limits()
    path = Path(named)
    try:
        document = Document.parse(
            path.read_text(encoding="utf-8"), name=str(path), expected="limits, such as refusals: 5"
        )
    except (OSError, UnicodeDecodeError) as error:
        raise SecurityLimitsError(f"{path}: cannot be read ({type(error).__name__}); correct {VARIABLE}") from None
    except DocumentError as error:
        raise SecurityLimitsError(str(error)) from None
    try:
        return Limits.model_validate(document.content)
    except ValidationError as error:
        raise SecurityLimitsError(document.describe(error)) from None
