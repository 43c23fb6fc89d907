"""Sessions say whose they are, and the audit trail is kept by months.

Django's own table of sessions goes, and with it whoever is signed in: they sign in again.
"""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from portal import clock, partitioning

_TRIGGER = pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='fa71245f7526007642358fdbaf327050311ba8b0', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_1eeb1', table='portal_auditentry', when='BEFORE'))


def partition(apps, schema_editor):
    partitioning.partition("portal_auditentry", at=clock.now())


def unite(apps, schema_editor):
    partitioning.unite("portal_auditentry")


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Session',
            fields=[
                ('session_key', models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name='session key')),
                ('session_data', models.TextField(verbose_name='session data')),
                ('expire_date', models.DateTimeField(db_index=True, verbose_name='expire date')),
                ('account_id', models.UUIDField(db_index=True, editable=False, null=True)),
            ],
            options={
                'verbose_name': 'session',
                'verbose_name_plural': 'sessions',
                'abstract': False,
                'default_permissions': (),
            },
        ),
        migrations.RunSQL("DROP TABLE IF EXISTS django_session", migrations.RunSQL.noop),
        migrations.RemoveIndex(
            model_name='auditentry',
            name='audit_of_object',
        ),
        migrations.AddField(
            model_name='rememberedanswer',
            name='index_key',
            field=models.CharField(blank=True, editable=False, help_text='Which blind-index key made the digest.', max_length=32),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['object_id', 'at'], name='audit_of_object'),
        ),
        pgtrigger.migrations.RemoveTrigger(model_name='auditentry', name='append_only'),
        migrations.RunPython(partition, unite),
        pgtrigger.migrations.AddTrigger(model_name='auditentry', trigger=_TRIGGER),
    ]
