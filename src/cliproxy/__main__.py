"""`python -m cliproxy`."""

from cliproxy.cli import main

if __name__ == "__main__":
    main()
