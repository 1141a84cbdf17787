"""How people look in JSON, wherever they are shown."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from retinue.accounts.tables import Role, User


class Shape(BaseModel):
    """What is sent to us: a field nobody declared is a mistake worth telling, and so is 1 where true is meant."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Profile(BaseModel):
    id: str
    email: str
    name: str
    surname: str
    employee_number: str | None
    role: Role
    active: bool
    weight: int
    created_at: datetime
    updated_at: datetime


def profile_of(user: User) -> Profile:
    return Profile.model_validate(user, from_attributes=True)
