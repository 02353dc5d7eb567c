"""What a mail says, how it is handed over, and the links in it by which its reader acts."""
