"""The admin panel, whose login makes sessions, and SimpleJWT's token endpoints."""

from django.contrib import admin
from django.urls import path

from project import token_urls

urlpatterns = [path("admin/", admin.site.urls), *token_urls.urlpatterns]
