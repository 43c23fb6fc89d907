"""The ledger by months: a table of the same shape, partitioned by the time in its ids, takes the old one's place.

Everything older than this month is one partition. The append-only trigger is dropped and made again around it.
"""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

from portal import clock, partitions

_TRIGGER = pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='8151f5bf20ed59f0824b589ca2eee7561f4fd588', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_689a5', table='consents_ledgerevent', when='BEFORE'))

def convert(apps, schema_editor):
    first = partitions.lower_bound(partitions.months(at=clock.now())[0])
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'"
                       " AND conrelid = 'consents_position'::regclass AND confrelid = 'consents_ledgerevent'::regclass")
        name, definition = cursor.fetchone()
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f'ALTER TABLE consents_position DROP CONSTRAINT "{name}"')
        cursor.execute("ALTER TABLE consents_ledgerevent RENAME TO consents_ledgerevent_whole")
        cursor.execute("SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisprimary"
                       " FROM pg_index WHERE indrelid = 'consents_ledgerevent_whole'::regclass")
        indexes = cursor.fetchall()
        for index, _, _ in indexes:
            cursor.execute(f'ALTER INDEX "{index}" RENAME TO "{index[:56]}_whole"')
        cursor.execute("CREATE TABLE consents_ledgerevent (LIKE consents_ledgerevent_whole"
                       " INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) PARTITION BY RANGE (id)")
        cursor.execute("ALTER TABLE consents_ledgerevent ADD CONSTRAINT consents_ledgerevent_pkey PRIMARY KEY (id)")
        cursor.execute("CREATE TABLE consents_ledgerevent_before PARTITION OF consents_ledgerevent"
                       f" FOR VALUES FROM (MINVALUE) TO ('{first}')")
        cursor.execute("CREATE TABLE consents_ledgerevent_default PARTITION OF consents_ledgerevent DEFAULT")
        for _, index, is_primary in indexes:
            if not is_primary:
                cursor.execute(index.replace("consents_ledgerevent_whole", "consents_ledgerevent"))
    partitions.make(at=clock.now())
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("INSERT INTO consents_ledgerevent SELECT * FROM consents_ledgerevent_whole")
        cursor.execute(f'ALTER TABLE consents_position ADD CONSTRAINT "{name}" {definition}')
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("DROP TABLE consents_ledgerevent_whole")


class Migration(migrations.Migration):

    dependencies = [
        ('consents', '0003_foundations_of_consents_in_full'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(model_name='ledgerevent', name='append_only'),
        migrations.RunPython(convert, migrations.RunPython.noop),
        pgtrigger.migrations.AddTrigger(model_name='ledgerevent', trigger=_TRIGGER),
    ]
