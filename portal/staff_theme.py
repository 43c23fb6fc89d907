"""How the staff site looks: what unfold, its theme, is told."""

from typing import Any

from django.templatetags.static import static

# of people's pages
_BLUE = {
    "50": "#f3f6fc",
    "100": "#e8eef9",
    "200": "#cddbf4",
    "300": "#9dbdf5",
    "400": "#86a9ea",
    "500": "#5f8ee0",
    "600": "#1f4fa3",
    "700": "#1a428a",
    "800": "#18386f",
    "900": "#152d57",
    "950": "#10203c",
}


def settings(*, site: str) -> dict[str, Any]:
    """unfold's UNFOLD, for the business whose name is `site`."""
    return {
        "SITE_TITLE": f"Heed – {site}",
        "SITE_HEADER": "Heed",
        "SITE_SUBHEADER": site,
        "SITE_SYMBOL": "hearing",
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("heed/favicon.svg")}],
        "STYLES": [lambda request: static("heed/staff.css")],
        "COLORS": {"primary": _BLUE},
        "SHOW_HISTORY": False,
        "SHOW_VIEW_ON_SITE": False,
        "DASHBOARD_CALLBACK": "requests_app.dashboard.callback",
        "SIDEBAR": {"show_search": False, "navigation": "portal.staff_navigation.sections"},
    }
