"""The staff's page of reports: a period, its tables, and each of them as a file."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from portal import clock
from portal.errors import DomainError
from requests_app import report_files, reports
from requests_app.reports import Period, Table

READ = "requests_app.read_reports"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class PeriodForm(forms.Form):
    first = forms.DateField(label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label=gettext_lazy("to"), widget=forms.DateInput(attrs={"type": "date"}))


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Every table of the chosen period; of this year where none is chosen."""
    form, tables, status = _asked(request, clock.now())
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Reports"),
        "form": form,
        "tables": tables,
        "laid_out": [_laid_out(table) for table in tables],
        "asked": {"first": form["first"].value(), "last": form["last"].value()},
    }
    return TemplateResponse(request, "admin/requests_app/reports.html", context, status=status)


@require_GET
def download(request: HttpRequest, name: str) -> HttpResponse:
    """`all.xlsx`, or one table as `<its name>.csv`."""
    form, tables, status = _asked(request, clock.now())
    if status != 200:
        return HttpResponse("\n".join(_problems(form)), content_type="text/plain; charset=utf-8", status=status)
    if name == "all.xlsx":
        return _file(report_files.as_xlsx(tables), _XLSX, f"requests-{_span(form)}.xlsx")
    found = [table for table in tables if name == f"{table.slug}.csv"]
    if not found:
        raise Http404
    return _file(report_files.as_csv(found[0]), "text/csv; charset=utf-8", f"{found[0].slug}-{_span(form)}.csv")


def _asked(request: HttpRequest, at: datetime) -> tuple[PeriodForm, list[Table], int]:
    """The form, the tables of its period, and the answer's status: a period that cannot be is a 400."""
    if not request.user.has_perm(READ):
        raise PermissionDenied
    this_year = {"first": date(at.year, 1, 1).isoformat(), "last": at.date().isoformat()}
    form = PeriodForm({**this_year, **{name: request.GET[name] for name in this_year if name in request.GET}})
    if form.is_valid():
        try:
            return form, reports.tables(period=Period(**form.cleaned_data), at=at), 200
        except DomainError as error:
            form.add_error(error.field, error.message)
    return form, [], 400


def _laid_out(table: Table) -> dict[str, Any]:
    """The table with, beside each header and cell, whether it is a column of figures: these are put flush right."""
    first = table.rows[0] if table.rows else ()
    are_figures = [bool(first) and not isinstance(cell, str) for cell in first]
    return {
        "table": table,
        "headers": list(zip(table.headers, are_figures, strict=False)),
        "rows": [list(zip(row, are_figures, strict=True)) for row in table.rows],
    }


def _problems(form: PeriodForm) -> list[str]:
    return [str(error) for errors in form.errors.values() for error in errors]


def _span(form: PeriodForm) -> str:
    return f"{form.cleaned_data['first'].isoformat()}-{form.cleaned_data['last'].isoformat()}"


def _file(content: bytes, kind: str, name: str) -> HttpResponse:
    answer = HttpResponse(content, content_type=kind)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
