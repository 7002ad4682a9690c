"""The admin panel, whose login makes sessions, a page that is live, and SimpleJWT's token endpoints."""

from django.contrib import admin
from django.urls import path

from project import pages, token_urls

urlpatterns = [path("admin/", admin.site.urls), path("live/", pages.live), *token_urls.urlpatterns]
