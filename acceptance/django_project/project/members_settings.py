"""The project with a user model of its own: an e-mail to log in with, and a UUID for a key."""

from project.settings import *

AUTH_USER_MODEL = "members.Member"
INSTALLED_APPS = ["members", *INSTALLED_APPS]
