"""Tests of minception.study."""
