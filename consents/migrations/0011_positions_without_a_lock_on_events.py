"""Positions no longer check their event by a foreign key.

The check locks each event's row, which writes it, and takes ten times as long as placing it: the log could not keep up
with an import. On the partitioned ledger the constraint is one with a child a partition; dropping it drops those.
"""

import django.db.models.deletion
from django.db import migrations, models

_DROP = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT conname FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
                       AND conrelid = 'consents_position'::regclass AND confrelid = 'consents_ledgerevent'::regclass
    LOOP
        EXECUTE format('ALTER TABLE consents_position DROP CONSTRAINT %I', name);
    END LOOP;
END $$
"""


class Migration(migrations.Migration):

    dependencies = [
        ('consents', '0010_the_log'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(_DROP, migrations.RunSQL.noop)],
            state_operations=[
                migrations.AlterField(
                    model_name='position',
                    name='event',
                    field=models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='placed', to='consents.ledgerevent'),
                ),
            ],
        ),
    ]
