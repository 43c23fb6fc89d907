"""A permission for the people who write the texts that messages begin with."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("requests_app", "0010_packages_know_their_redactions"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="messagetemplate",
            options={
                "ordering": ["slug", "language", "-version"],
                "permissions": [("write_template", "Can write the texts that messages begin with")],
                "verbose_name": "message template",
                "verbose_name_plural": "message templates",
            },
        ),
    ]
