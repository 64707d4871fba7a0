"""One command that proves everything: private servers, static checks, and the tests on both databases."""
