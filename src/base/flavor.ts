/** The two server families. Anything that differs between them is decided in one place each. */
export type Flavor = 'mysql' | 'mariadb'
