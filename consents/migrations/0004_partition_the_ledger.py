"""The ledger by months: a table of the same shape, partitioned by the time in its ids, takes the old one's place.

Everything older than this month is one partition. The append-only trigger is dropped and made again around it.
"""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

from portal import clock, partitioning

_TRIGGER = pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='8151f5bf20ed59f0824b589ca2eee7561f4fd588', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_689a5', table='consents_ledgerevent', when='BEFORE'))

def partition(apps, schema_editor):
    partitioning.partition("consents_ledgerevent", at=clock.now())


def unite(apps, schema_editor):
    partitioning.unite("consents_ledgerevent")


class Migration(migrations.Migration):

    dependencies = [
        ('consents', '0003_foundations_of_consents_in_full'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(model_name='ledgerevent', name='append_only'),
        migrations.RunPython(partition, unite),
        pgtrigger.migrations.AddTrigger(model_name='ledgerevent', trigger=_TRIGGER),
    ]
