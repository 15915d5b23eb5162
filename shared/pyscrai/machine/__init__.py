"""What programs of one machine share: files that only their owner reads, and locks that go with their process."""
