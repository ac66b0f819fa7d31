"""The machine behind ``execute``: only execute, stream and the executors enter here."""
