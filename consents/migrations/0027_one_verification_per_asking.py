from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consents", "0026_scopes_of_partners_and_keys_of_imports")]

    operations = [
        migrations.RemoveConstraint(model_name="contactverification", name="one_verification_per_contact"),
        migrations.AddIndex(
            model_name="contactverification",
            index=models.Index(fields=["scheme", "fingerprint"], name="verification_of_contact"),
        ),
    ]
