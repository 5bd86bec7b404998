"""What a user looks at afterwards: the HTML page, JUnit properties and the job summary."""
