"""A scanner for surveillance cameras, and the hub that maps them.

To follow one frame from the lens to the map, read in this order, with ``records.py`` beside you:

1. ``pipeline.py``          the story: one frame's life on the device
2. ``replay/frames.py``     makes a Frame (on the device: ``hardware/picamera.py``)
3. ``hardware/tflite.py``   makes a Detection
4. ``core/tracking.py``     makes a Track
5. ``core/locate.py``       makes a Sighting
6. ``core/privacy.py``      makes a Record; ``reporting.py`` seals and keeps it
7. ``relay.py``             takes it to the broker
8. ``hub/ingest.py``        takes it in; ``core/fusing/fusion.py`` makes a Camera of all records
"""

__version__ = "0.1.0"
