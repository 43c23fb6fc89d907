"""Plans that PostgreSQL chooses by what it knows of a table's size: no answer may hang on which one it was."""

from django.db import connection, models


def take_for_empty(model: type[models.Model]) -> None:
    """Empty a table that had rows, and have it known as empty: the next join looks at one side anew for each row."""
    model._default_manager.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {model._meta.db_table}")
