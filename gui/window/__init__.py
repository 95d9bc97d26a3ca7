"""The parts of the main window that do something of their own; gui.main_window puts them together."""
