"""The other side: everything that knows PlanSo's pages, addresses, labels and cookies, and only that."""
