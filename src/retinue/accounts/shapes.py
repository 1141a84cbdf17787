"""How people look in JSON, wherever they are shown."""

from datetime import datetime

from pydantic import BaseModel

from retinue.accounts.tables import Role, User
from retinue.base.shapes import Strict


class Shape(Strict):
    """What is sent to us."""


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
