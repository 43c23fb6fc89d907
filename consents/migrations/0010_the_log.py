import django.db.models.lookups
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('consents', '0005_cases_and_data_windows'),
    ]

    operations = [
        migrations.CreateModel(
            name='Tile',
            fields=[
                ('pk', models.CompositePrimaryKey('level', 'number', blank=True, editable=False, primary_key=True, serialize=False)),
                ('level', models.PositiveSmallIntegerField()),
                ('number', models.BigIntegerField()),
                ('hashes', models.BinaryField()),
            ],
            options={
                'verbose_name': 'tile of the log',
                'verbose_name_plural': 'tiles of the log',
            },
        ),
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('size', models.BigIntegerField()),
                ('root', models.BinaryField()),
                ('note', models.TextField()),
                ('key_id', models.CharField(max_length=32)),
                ('signed_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'checkpoint',
                'verbose_name_plural': 'checkpoints',
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('size', 'key_id'), name='one_checkpoint_per_size_and_key')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='checkpoint',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='16ffad706864cda097a2ee21182bd8a36c6e9844', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_f29a0', table='consents_checkpoint', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='tile',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.lookups.Exact(models.Func(models.Func(models.F('hashes'), function='octet_length', output_field=models.IntegerField()), 32, function='mod', output_field=models.IntegerField()), 0), django.db.models.lookups.GreaterThan(models.Func(models.F('hashes'), function='octet_length', output_field=models.IntegerField()), 0), django.db.models.lookups.LessThanOrEqual(models.Func(models.F('hashes'), function='octet_length', output_field=models.IntegerField()), 8192)), name='a_tile_holds_1_to_256_hashes'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='tile',
            trigger=pgtrigger.compiler.Trigger(name='never_deleted', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='8cf787d322803feac1be32074b2b4e22c4cc2d9c', operation='DELETE', pgid='pgtrigger_never_deleted_0abf7', table='consents_tile', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='tile',
            trigger=pgtrigger.compiler.Trigger(name='grows_at_its_end', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n                    IF NEW.level <> OLD.level OR NEW.number <> OLD.number\n                       OR octet_length(NEW.hashes) <= octet_length(OLD.hashes)\n                       OR substring(NEW.hashes FROM 1 FOR octet_length(OLD.hashes)) <> OLD.hashes\n                    THEN\n                        RAISE EXCEPTION 'pgtrigger: A tile only grows at its end: % table', TG_TABLE_NAME;\n                    END IF;\n                    RETURN NEW;\n                ", hash='8200f70e168b39f1333500c43d13ed4d76e6b2ff', operation='UPDATE', pgid='pgtrigger_grows_at_its_end_2ff20', table='consents_tile', when='BEFORE')),
        ),
        # hashes do not compress: keep them outside the row as they are
        migrations.RunSQL(
            "ALTER TABLE consents_tile ALTER COLUMN hashes SET STORAGE EXTERNAL", migrations.RunSQL.noop
        ),
    ]
