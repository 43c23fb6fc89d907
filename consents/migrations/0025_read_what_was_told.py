"""`consents_told`: all that a decision about one person needs, in one value. Why a function: see `consents.told`."""

from django.db import migrations

_CREATE = """
CREATE FUNCTION consents_told(named_scheme text, named_prints bytea[], who uuid, about text[]) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF named_scheme IS NOT NULL THEN
        SELECT subject_id INTO who FROM consents_identifier
         WHERE scheme = named_scheme AND fingerprint = ANY(named_prints) ORDER BY id LIMIT 1;
    END IF;
    RETURN json_build_array(
        (SELECT token FROM consents_regimestate),
        (SELECT head FROM consents_sequencerstate),
        named_scheme IS NOT NULL AND who IS NULL AND EXISTS (
            SELECT FROM consents_suppressed WHERE scheme = named_scheme AND fingerprint = ANY(named_prints)),
        (SELECT json_build_array(id, jurisdiction, is_minor, registered_at, erased_at, amended_at)
           FROM consents_subject WHERE id = who),
        (SELECT json_agg(json_build_array(slot, purpose, recipient, category, action, event_id, occurred_at, recorded_at))
           FROM consents_preference WHERE subject_id = who AND purpose = ANY(about))
    )::text;
END $$
"""


class Migration(migrations.Migration):

    dependencies = [
        ('consents', '0024_index_what_is_no_choice'),
    ]

    operations = [
        migrations.RunSQL(_CREATE, "DROP FUNCTION consents_told(text, bytea[], uuid, text[])"),
    ]
