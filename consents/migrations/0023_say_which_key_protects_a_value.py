from django.conf import settings
from django.db import migrations, models

import portal.sealed


class Migration(migrations.Migration):

    dependencies = [
        ('consents', '0011_positions_without_a_lock_on_events'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='suppressed',
            name='index_key',
            field=models.CharField(blank=True, editable=False, help_text='Which blind-index key made the fingerprint, for good.', max_length=32),
        ),
        migrations.AddIndex(
            model_name='identifier',
            index=models.Index(fields=['index_key'], name='identifier_by_index_key'),
        ),
        migrations.AddIndex(
            model_name='subject',
            index=models.Index(portal.sealed.KeyId('wrapped_key'), condition=models.Q(('wrapped_key__isnull', False)), name='subject_by_field_key'),
        ),
        migrations.AddIndex(
            model_name='suppressed',
            index=models.Index(fields=['index_key'], name='suppressed_by_index_key'),
        ),
    ]
