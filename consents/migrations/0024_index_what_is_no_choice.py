from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('consents', '0023_say_which_key_protects_a_value'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='ledgerevent',
            index=models.Index(condition=models.Q(('kind', 'choice'), _negated=True), fields=['kind', 'id'], name='event_but_no_choice'),
        ),
    ]
