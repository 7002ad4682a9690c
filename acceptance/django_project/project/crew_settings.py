"""The project with a user model that shares few names with Django's: another key, no names of a person."""

from project.settings import *

AUTH_USER_MODEL = "crew.Person"
INSTALLED_APPS = ["crew", *INSTALLED_APPS]
SIMPLE_JWT = {"USER_ID_FIELD": "uid", "USER_ID_CLAIM": "uid", **globals().get("SIMPLE_JWT", {})}
