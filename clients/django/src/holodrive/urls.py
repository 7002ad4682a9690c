"""`path("holodrive/hooks/", include("holodrive.urls"))`; the server's `HOOKS_URL` ends in that path."""

from django.urls import path

from . import views

app_name = "holodrive"
urlpatterns = [path("<str:name>/", views.hook, name="hook")]
