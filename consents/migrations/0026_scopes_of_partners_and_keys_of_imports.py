import django.contrib.postgres.fields
from django.conf import settings
from django.db import migrations, models

_NOTED = "Which blind-index key made the %s."


def _every_scope():
    return ["choices:write", "decisions:read", "changes:read", "choices:read"]


def _oldest_key():
    # which key made them is not known: of several, the one that would go first
    return list(settings.INDEX_KEYS.keys)[-1]


def _scopes(default):
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.CharField(max_length=40),
        blank=True,
        default=default,
        help_text='OAuth scopes that its tokens may hold, such as decisions:read.',
        size=None,
    )


def _index_key(what):
    return {
        'name': 'index_key',
        # a default that PostgreSQL keeps beside the table: no row is written
        'field': models.CharField(
            blank=True, default=_oldest_key, editable=False, help_text=_NOTED % what, max_length=32
        ),
        'preserve_default': False,
    }


class Migration(migrations.Migration):

    dependencies = [
        ('consents', '0025_read_what_was_told'),
    ]

    operations = [
        # partners of before keep what they could do
        migrations.AddField(model_name='partner', name='scopes', field=_scopes(_every_scope)),
        migrations.AlterField(model_name='partner', name='scopes', field=_scopes(list)),
        migrations.AddField(model_name='importedkey', **_index_key('fingerprint')),
        migrations.AddField(model_name='choiceimport', **_index_key('digest')),
        migrations.RunSQL(
            "UPDATE consents_choiceimport SET key = encode(sha256(convert_to(key, 'UTF8')), 'hex') WHERE key <> ''",
            migrations.RunSQL.noop,
        ),
        migrations.AlterField(
            model_name='choiceimport',
            name='key',
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="SHA-256 of the caller's Idempotency-Key, in hexadecimal digits",
                max_length=64,
                verbose_name='key',
            ),
        ),
    ]
