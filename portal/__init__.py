"""The Django project and what every app shares; knows no app's domain."""

from portal.celery import app as celery_app

__all__ = ("celery_app",)
