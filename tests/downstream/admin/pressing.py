"""Pressing a button of the staff's pages."""

from typing import Any

from django.test import Client
from django.urls import reverse


def do(browser: Client, model: str, action: str, pk: object, **fields: str) -> Any:
    return browser.post(reverse(f"admin:{model}_{action}", args=[pk]), {"_form_submitted": "True", **fields})
