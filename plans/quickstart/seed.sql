-- The shop's data: the same on every run, so that a difference after a recovery is a loss and not chance.
create table customers (id serial primary key, name text not null, email text not null unique, since date not null);
create table products (id serial primary key, title text not null, price numeric(10, 2) not null check (price > 0));
create table orders (id serial primary key, customer int not null references customers, placed_at timestamptz not null, total numeric(12, 2) not null);
create table order_lines (orders int not null references orders on delete cascade, line int not null, product int not null references products, quantity int not null, primary key (orders, line));
create index orders_by_customer on orders (customer, placed_at desc);
create view best_customers as select c.id, c.name, sum(o.total) as spent from customers c join orders o on o.customer = c.id group by c.id order by spent desc limit 10;
create function order_total(wanted int) returns numeric language sql stable as $$ select sum(p.price * l.quantity) from order_lines l join products p on p.id = l.product where l.orders = wanted $$;

insert into customers (name, email, since) select 'Customer ' || i, 'customer' || i || '@example.com', date '2020-01-01' + i % 2000 from generate_series(1, 500) i;
insert into products (title, price) select 'Product ' || i, 1 + (i * 37 % 9900) / 100.0 from generate_series(1, 200) i;
insert into orders (customer, placed_at, total) select 1 + i * 7 % 500, timestamptz '2025-01-01 08:00+00' + i * interval '67 minutes', 0 from generate_series(1, 5000) i;
insert into order_lines select o, l, 1 + (o * 13 + l * 29) % 200, 1 + (o + l) % 4 from generate_series(1, 5000) o, generate_series(1, 3) l;
update orders set total = order_total(id);
analyze;
