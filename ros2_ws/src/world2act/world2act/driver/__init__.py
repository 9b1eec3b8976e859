"""Between the joint commands of this project and what arm drivers take and say."""
