"""Scores in XML, MusicXML, MEI and MuseScore: parts of measures that begin together."""
