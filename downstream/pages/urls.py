"""Addresses of people's pages about where a no has arrived."""

from django.urls import path

from downstream.pages import views

urlpatterns = [path("choices/<path:purpose>/journey/", views.journey, name="journey")]
